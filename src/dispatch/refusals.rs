//! Values that templates may not read now, with the reasons.

use crate::problem::Problem;
use crate::template::Reads;

/// Values that templates may not read, each with the problem to report.
#[derive(Debug, Default)]
pub(super) struct Refusals(Vec<Refusal>);

#[derive(Debug)]
struct Refusal {
    /// The names on the way to the value.
    path: Vec<String>,
    problem: Problem,
}

impl Refusals {
    /// Refuses the value at `path`, and all values below it.
    pub(super) fn add(&mut self, path: &[&str], problem: Problem) {
        let path = path.iter().map(ToString::to_string).collect();
        self.0.push(Refusal { path, problem });
    }

    /// The problems of templates with these `reads`.
    pub(super) fn of(&self, reads: &Reads) -> Vec<Problem> {
        let is_read = |refusal: &&Refusal| {
            let path: Vec<&str> = refusal.path.iter().map(String::as_str).collect();
            reads.may_read(&path)
        };
        self.0.iter().filter(is_read).map(|refusal| refusal.problem.clone()).collect()
    }
}
