//! The door: who is let in, what is read of whom, and how long anybody is waited for. `docs/door.md`
//! says which test belongs to which row there.

mod caps;
mod flood;
mod framing;
mod heads;
mod hops;
mod line;
mod probe;
mod timers;
