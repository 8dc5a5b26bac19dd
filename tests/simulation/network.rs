//! The way from a step to the simulated GitHub: latency and faults, drawn for each request.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Full};
use release_ticket_action::ticket::TargetStatus;
use simulated_github::{Fault, Kind, Service, World};

use crate::history::History;
use crate::play;
use crate::scenario::Weather;
use crate::witness::{Rulebook, Violation, Witness};

/// Longer than a client waits for an answer.
const STALL: Duration = Duration::from_secs(45);

/// In merciful weather, the number of successes of a request after each fault.
const MERCY: u32 = 3;

/// How often each kind of fault was injected.
#[derive(Debug, Default, Clone)]
pub(crate) struct Faults(pub(crate) BTreeMap<&'static str, u64>);

/// The weather above all networks of a play.
#[derive(Clone)]
pub(crate) struct Sky {
    world: World,
    weather: Weather,
    dice: Arc<Mutex<Dice>>,
    /// The states of the targets over time, if the scenario follows runs.
    history: Option<Arc<Mutex<History>>>,
    /// The gates and freezes, if the release is steered.
    rules: Option<Arc<Rulebook>>,
    violations: Arc<Mutex<Vec<Violation>>>,
}

struct Dice {
    rng: fastrand::Rng,
    faults: Faults,
    fault_count: u32,
}

impl Dice {
    fn lag(&mut self, longest: Duration) -> Duration {
        *self.faults.0.entry("lag").or_default() += 1;
        longest.mul_f64(self.rng.f64())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The fate of one request.
enum Fate {
    Well,
    Wrong(Kind),
    /// No answer arrives; GitHub may have carried the request out.
    Stall {
        has_effect: bool,
    },
}

impl Sky {
    pub(crate) fn over(world: &World, weather: &Weather, seed: u64, history: Option<History>) -> Self {
        let rng = fastrand::Rng::with_seed(seed ^ 0x5eed_0001);
        let dice = Arc::new(Mutex::new(Dice { rng, faults: Faults::default(), fault_count: 0 }));
        let history = history.map(Mutex::new).map(Arc::new);
        let (world_of, weather_of) = (world.clone(), weather.clone());
        let violations = Arc::default();
        let sky = Self { world: world_of, weather: weather_of, dice, history, rules: None, violations };
        // The world owns these closures, so they must not own the world.
        let (dice, longest) = (Arc::clone(&sky.dice), weather.latency);
        world.latency(move |_, _| longest.mul_f64(lock(&dice).rng.f64()));
        let (dice, longest) = (Arc::clone(&sky.dice), weather.lag);
        if !longest.is_zero() {
            world.lag(move |_, _| lock(&dice).lag(longest));
        }
        sky
    }

    /// Notes each start that violates these rules or a command.
    pub(crate) fn with_rules(self, rules: Option<Rulebook>) -> Self {
        Self { rules: rules.map(Arc::new), ..self }
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        lock(&self.violations).clone()
    }

    pub(crate) fn faults(&self) -> Faults {
        self.dice().faults.clone()
    }

    /// The status of each target on the ticket, if the scenario follows runs.
    pub(crate) fn read_ticket(&self) -> BTreeMap<String, TargetStatus> {
        let (Some(history), Some(ticket)) = (&self.history, play::ticket(&self.world)) else {
            return BTreeMap::new();
        };
        let issue = self.world.issue_view(play::HUB, ticket);
        lock(history).update(&issue, self.world.now())
    }

    /// The last time at which the ticket showed the target as released.
    pub(crate) fn release_time(&self, name: &str) -> Option<DateTime<Utc>> {
        lock(self.history.as_ref()?).release_time(name)
    }

    fn dice(&self) -> MutexGuard<'_, Dice> {
        lock(&self.dice)
    }

    /// The network of one step; a calm one has no faults.
    pub(crate) fn network(&self, calm: bool) -> Network {
        let (service, sky) = (self.world.service(), self.clone());
        Network { service, sky, grace: Arc::default(), witness: Arc::default(), calm }
    }

    fn fate(&self) -> Fate {
        let mut dice = self.dice();
        let rng = &mut dice.rng;
        let pick = |rng: &mut fastrand::Rng, statuses: &[u16]| statuses[rng.usize(..statuses.len())];
        let (name, fate) = match rng.u32(..20) {
            0..4 => ("5xx before", Fate::Wrong(Kind::StatusBefore(pick(rng, &[500, 502, 503])))),
            4..8 => ("5xx after", Fate::Wrong(Kind::StatusAfter(pick(rng, &[500, 502, 504])))),
            8..12 => ("dropped before", Fate::Wrong(Kind::DropBefore)),
            12..16 => ("dropped after", Fate::Wrong(Kind::DropAfter)),
            16 => ("secondary limit with retry-after", {
                let retry_after = Some(rng.u64(1..=60));
                let status = pick(rng, &[403, 429]);
                Fate::Wrong(Kind::RateLimited { status, retry_after, reset_in: None, secondary: true })
            }),
            17 => ("primary limit with reset", {
                let reset_in = Some(rng.u64(1..=90));
                let status = pick(rng, &[403, 429]);
                Fate::Wrong(Kind::RateLimited { status, retry_after: None, reset_in, secondary: false })
            }),
            18 => ("secondary limit without a word", {
                Fate::Wrong(Kind::RateLimited {
                    status: 403,
                    retry_after: None,
                    reset_in: None,
                    secondary: true,
                })
            }),
            _ if rng.bool() => ("stalled before", Fate::Stall { has_effect: false }),
            _ => ("stalled after", Fate::Stall { has_effect: true }),
        };
        *dice.faults.0.entry(name).or_default() += 1;
        fate
    }

    /// Injects the fault into the next such request, which is the one that the step sends now.
    fn plant(&self, method: &str, path: &str, kind: Kind) {
        let mut dice = self.dice();
        dice.fault_count += 1;
        if dice.fault_count.is_multiple_of(16) {
            // Old faults have met their request, and slow every other request down.
            self.world.clear_faults();
        }
        self.world.fault(Fault::on(method, path).then(kind));
    }
}

/// The network of one step.
#[derive(Clone)]
pub(crate) struct Network {
    service: Service,
    sky: Sky,
    grace: Arc<Mutex<BTreeMap<String, u32>>>,
    /// The answers that the step got.
    witness: Arc<Mutex<Witness>>,
    calm: bool,
}

impl Network {
    /// Notes the request if it starts a target that may not start.
    async fn judge_request<B>(&self, request: http::Request<B>) -> Result<http::Request<Full<Bytes>>, Problem>
    where
        B: http_body::Body,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        if let (Some(rules), true) = (&self.sky.rules, parts.method == http::Method::POST) {
            let now = self.sky.world.now();
            let violations = lock(&self.witness).judge(rules, parts.uri.path(), &body, now);
            lock(&self.sky.violations).extend(violations);
        }
        Ok(http::Request::from_parts(parts, Full::new(body)))
    }

    fn draw(&self, method: &str, path: &str) -> Fate {
        if self.calm {
            return Fate::Well;
        }
        let mut grace = lock(&self.grace);
        let remaining = grace.entry(format!("{method} {path}")).or_default();
        if *remaining > 0 {
            *remaining -= 1;
            return Fate::Well;
        }
        if self.sky.dice().rng.f64() >= self.sky.weather.density {
            return Fate::Well;
        }
        if self.sky.weather.merciful {
            *remaining = MERCY;
        }
        self.sky.fate()
    }
}

type Problem = Box<dyn std::error::Error + Send + Sync>;

impl<B> tower::Service<http::Request<B>> for Network
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Response = http::Response<Full<Bytes>>;
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Problem>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Problem>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let mut network = self.clone();
        Box::pin(async move {
            let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
            let mut is_stalled = false;
            match network.draw(&method, &path) {
                Fate::Well => {}
                Fate::Wrong(kind) => network.sky.plant(&method, &path, kind),
                Fate::Stall { has_effect } => {
                    is_stalled = true;
                    if !has_effect {
                        tokio::time::sleep(STALL).await;
                        return Err("nothing came back".into());
                    }
                }
            }
            let request = network.judge_request(request).await?;
            let answer = network.service.call(request).await;
            if method != "GET" && path.contains("/comments") {
                network.sky.read_ticket();
            }
            if is_stalled {
                tokio::time::sleep(STALL).await;
            }
            let (parts, body) = answer?.into_parts();
            let body = body.collect().await?.to_bytes();
            if parts.status.is_success() && network.sky.rules.is_some() {
                lock(&network.witness).learn(&path, &body);
            }
            Ok(http::Response::from_parts(parts, Full::new(body)))
        })
    }
}
