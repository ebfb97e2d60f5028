//! The binary: parse, build the runtime and the real context, run, exit code.

fn main() {}
