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
use crate::witness::{Against, Rulebook, Witness};

/// Longer than a client waits for an answer.
const STALL: Duration = Duration::from_secs(45);

/// A request that went wrong goes well this often afterwards, where the weather is merciful.
const MERCY: u32 = 3;

/// How often each kind of fault was injected.
#[derive(Debug, Default, Clone)]
pub(crate) struct Faults(pub(crate) BTreeMap<&'static str, u64>);

/// The weather over all networks of a play.
#[derive(Clone)]
pub(crate) struct Sky {
    world: World,
    weather: Weather,
    drawn: Arc<Mutex<Drawn>>,
    /// Where somebody wants to know it.
    history: Option<Arc<Mutex<History>>>,
    /// What keeps targets back, where the release is steered, and the starts against that.
    rules: Option<Arc<Rulebook>>,
    against: Arc<Mutex<Vec<Against>>>,
}

struct Drawn {
    rng: fastrand::Rng,
    faults: Faults,
    planted: u32,
}

impl Drawn {
    fn lag(&mut self, longest: Duration) -> Duration {
        *self.faults.0.entry("lag").or_default() += 1;
        longest.mul_f64(self.rng.f64())
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What happens to one request.
enum Fate {
    Well,
    Wrong(Kind),
    /// The answer never comes; the effect may have happened.
    Stalled {
        effect: bool,
    },
}

impl Sky {
    pub(crate) fn over(world: &World, weather: &Weather, seed: u64, history: Option<History>) -> Self {
        let rng = fastrand::Rng::with_seed(seed ^ 0x5eed_0001);
        let drawn = Arc::new(Mutex::new(Drawn { rng, faults: Faults::default(), planted: 0 }));
        let history = history.map(Mutex::new).map(Arc::new);
        let (world_of, weather_of) = (world.clone(), weather.clone());
        let against = Arc::default();
        let sky = Self { world: world_of, weather: weather_of, drawn, history, rules: None, against };
        // The world keeps this, so it must not keep the world.
        let (drawn, longest) = (Arc::clone(&sky.drawn), weather.latency);
        world.latency(move |_, _| longest.mul_f64(lock(&drawn).rng.f64()));
        let (drawn, longest) = (Arc::clone(&sky.drawn), weather.lag);
        if !longest.is_zero() {
            world.lag(move |_, _| lock(&drawn).lag(longest));
        }
        sky
    }

    /// Whether a step starts anything against these rules, or the words of people, is noted.
    pub(crate) fn watching(self, rules: Option<Rulebook>) -> Self {
        Self { rules: rules.map(Arc::new), ..self }
    }

    pub(crate) fn against(&self) -> Vec<Against> {
        lock(&self.against).clone()
    }

    pub(crate) fn faults(&self) -> Faults {
        self.drawn().faults.clone()
    }

    /// How the targets stand on the ticket, where somebody wants to know it.
    pub(crate) fn look_at_the_ticket(&self) -> BTreeMap<String, TargetStatus> {
        let (Some(history), Some(ticket)) = (&self.history, play::ticket(&self.world)) else {
            return BTreeMap::new();
        };
        let issue = self.world.issue_view(play::HUB, ticket);
        lock(history).look(&issue, self.world.now())
    }

    /// When a target was last seen as released.
    pub(crate) fn last_released(&self, name: &str) -> Option<DateTime<Utc>> {
        lock(self.history.as_ref()?).last_released(name)
    }

    fn drawn(&self) -> MutexGuard<'_, Drawn> {
        lock(&self.drawn)
    }

    /// The network of one step; a calm one loses nothing.
    pub(crate) fn network(&self, calm: bool) -> Network {
        let (service, sky) = (self.world.service(), self.clone());
        Network { service, sky, spared: Arc::default(), witness: Arc::default(), calm }
    }

    fn fate(&self) -> Fate {
        let mut drawn = self.drawn();
        let rng = &mut drawn.rng;
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
            _ if rng.bool() => ("stalled before", Fate::Stalled { effect: false }),
            _ => ("stalled after", Fate::Stalled { effect: true }),
        };
        *drawn.faults.0.entry(name).or_default() += 1;
        fate
    }

    /// Puts the fault in the way of the next such request, which is the one that is just sent.
    fn plant(&self, method: &str, path: &str, kind: Kind) {
        let mut drawn = self.drawn();
        drawn.planted += 1;
        if drawn.planted.is_multiple_of(16) {
            // Those that have met their request only make every other request slower.
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
    spared: Arc<Mutex<BTreeMap<String, u32>>>,
    /// What the step was shown.
    witness: Arc<Mutex<Witness>>,
    calm: bool,
}

impl Network {
    /// Notes whether the request starts something that the step had better not start.
    async fn judged<B>(&self, request: http::Request<B>) -> Result<http::Request<Full<Bytes>>, Problem>
    where
        B: http_body::Body,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        if let (Some(rules), true) = (&self.sky.rules, parts.method == http::Method::POST) {
            let now = self.sky.world.now();
            let against = lock(&self.witness).judge(rules, parts.uri.path(), &body, now);
            lock(&self.sky.against).extend(against);
        }
        Ok(http::Request::from_parts(parts, Full::new(body)))
    }

    fn draw(&self, method: &str, path: &str) -> Fate {
        if self.calm {
            return Fate::Well;
        }
        let mut spared = lock(&self.spared);
        let left = spared.entry(format!("{method} {path}")).or_default();
        if *left > 0 {
            *left -= 1;
            return Fate::Well;
        }
        if self.sky.drawn().rng.f64() >= self.sky.weather.density {
            return Fate::Well;
        }
        if self.sky.weather.merciful {
            *left = MERCY;
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
            let mut stalls = false;
            match network.draw(&method, &path) {
                Fate::Well => {}
                Fate::Wrong(kind) => network.sky.plant(&method, &path, kind),
                Fate::Stalled { effect } => {
                    stalls = true;
                    if !effect {
                        tokio::time::sleep(STALL).await;
                        return Err("nothing came back".into());
                    }
                }
            }
            let request = network.judged(request).await?;
            let answer = network.service.call(request).await;
            if method != "GET" && path.contains("/comments") {
                network.sky.look_at_the_ticket();
            }
            if stalls {
                tokio::time::sleep(STALL).await;
            }
            let (parts, body) = answer?.into_parts();
            let body = body.collect().await?.to_bytes();
            if parts.status.is_success() && network.sky.rules.is_some() {
                lock(&network.witness).take_in(&path, &body);
            }
            Ok(http::Response::from_parts(parts, Full::new(body)))
        })
    }
}
