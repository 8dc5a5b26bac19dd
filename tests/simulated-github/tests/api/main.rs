//! The simulation as its clients see it.

mod access;
mod actions;
mod bad_days;
mod http;
mod issues;
mod support;
