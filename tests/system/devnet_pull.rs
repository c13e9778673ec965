//! The demo, as the instructions show it: its network indexed from Jetstream, browsed, and pulled from by real clients.

mod errors;
mod pages;
mod pulls;
mod state;
