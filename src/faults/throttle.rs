//! `lambda.throttle`: reserved concurrency to n.
