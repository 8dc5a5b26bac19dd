//! The action as users run it: the real binary, an environment, an event file, and a simulated
//! GitHub over HTTP.

mod burst;
mod client;
mod conformance;
mod contract;
mod dispatch;
mod formats;
mod forms;
mod inputs;
mod killed;
mod lag;
mod limits;
mod network;
mod newer;
mod notify;
mod pacing;
mod permissions;
mod preflight;
mod proof_of_concept;
mod properties;
mod proxy;
mod reference;
mod refs;
mod report;
mod requests;
mod schema;
mod secrets;
mod sts;
mod support;
mod threats;
mod tls;
mod tokens;
mod waiting;
mod workflows;
