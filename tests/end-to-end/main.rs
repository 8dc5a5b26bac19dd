//! The shipped thing in real workflows: the image and `action.yml`, started by the workflow files that
//! the documentation shows, in a runner ([act](https://nektosact.com)), against the simulated GitHub.
//!
//! What a hub starts really runs: for each run that the simulation is asked to start, act plays the
//! target's workflow with the inputs that were sent, and what its jobs come to is told to the
//! simulation, as GitHub's runners tell GitHub.
//!
//! `.ci/end-to-end.sh` has what these tests need, and runs them.

mod acme;
mod act;
mod examples;
mod nightly;
mod page;
mod proof_of_concept;
mod release;
mod reusable;
mod steering;
mod tracking;
mod waiting;
