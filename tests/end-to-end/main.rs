//! The image and `action.yml` in real workflows: a runner ([act](https://nektosact.com)) starts them by the workflow files
//! that the documentation shows, against the simulated GitHub.
//!
//! The runs that a hub starts take place: for each of them act plays the target's workflow with the inputs of the
//! request, and reports the results of its jobs to the simulation, as GitHub's runners report to GitHub.
//!
//! `.ci/end-to-end.sh` installs the tools that these tests need, and runs them.

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
