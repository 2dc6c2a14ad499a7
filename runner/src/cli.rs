//! What may be typed. No meaning, no I/O.
