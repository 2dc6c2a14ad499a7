//! Text to targets. No network.
