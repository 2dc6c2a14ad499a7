//! Names to addresses, each name once.
