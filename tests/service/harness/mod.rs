//! Starts real servers and speaks to them; knows nothing about what a test expects.

mod client;
mod eventually;
mod instance;
mod log;
mod process;
mod raw;
mod reply;
mod worlds;

pub(crate) use client::Client;
pub(crate) use eventually::{eventually, eventually_true};
pub(crate) use instance::{Instance, refused_start};
pub(crate) use raw::raw;
pub(crate) use reply::Reply;
pub(crate) use worlds::{
    busy_world, find, find_body, ground, number, seconds_of_day, sphere, steps_lasting, triple,
    until_stepping, without, zero_gravity,
};
