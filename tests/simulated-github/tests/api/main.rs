//! The simulation as its clients see it.

mod access;
mod actions;
mod apps;
mod bad_days;
mod commits;
mod http;
mod issues;
mod lag;
mod limits;
mod people;
mod reactions;
mod refs;
mod releases;
mod sts;
mod support;
mod teams;
