//! Decides what to send next, and when. No I/O, no clock.
