//! The process's edge.

fn main() {}
