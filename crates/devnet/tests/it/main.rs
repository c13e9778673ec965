//! The devnet from outside, over its sockets, checked with implementations that are not its own.

mod support;

mod content;
