//! Starts real servers and speaks to them; knows nothing about what a test expects.

mod client;
mod eventually;
mod fleet;
mod instance;
mod load;
mod log;
mod ports;
mod process;
mod proxy;
mod raw;
mod redis_cluster;
mod redis_server;
mod reply;
mod retry;
mod scenes;
mod sentinel;
mod setting;
mod store;
mod tls;
mod topology;
mod worlds;

pub(crate) use client::{Call, Client};
pub(crate) use eventually::{eventually, eventually_true};
pub(crate) use fleet::{Fleet, until_roster_is_read};
pub(crate) use instance::{Instance, program, refused_start, run_instead};
pub(crate) use load::Load;
pub(crate) use ports::free_port;
pub(crate) use proxy::{Proxy, Ways};
pub(crate) use raw::raw;
pub(crate) use redis_cluster::RedisCluster;
pub(crate) use redis_server::RedisServer;
pub(crate) use reply::Reply;
pub(crate) use retry::{Answered, Doors, Request};
pub(crate) use scenes::{scene, story};
pub(crate) use sentinel::SentinelSet;
pub(crate) use setting::setting;
pub(crate) use store::Store;
pub(crate) use tls::Certificates;
pub(crate) use topology::Topology;
pub(crate) use worlds::{
    busy_world, find, find_body, ground, number, seconds_of_day, sphere, steps_lasting, triple,
    until_stepping, without, zero_gravity,
};
