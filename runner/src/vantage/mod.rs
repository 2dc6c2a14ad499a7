//! Where and as whom we looked: this machine's names, addresses, routes and listeners.
