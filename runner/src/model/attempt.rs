/// Names an attempt that is still listening. Made by the network, opaque elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle(pub u64);

/// What became of sending one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It left; signals will arrive until it is forgotten or answered.
    Listening(Handle),
    /// This machine refused, for good: no route, own firewall. Nothing left.
    Refused {
        /// The operating system's error number.
        errno: i32,
    },
    /// This machine could not right now: out of descriptors, local ports,
    /// neighbour entries or buffers. Worth trying again when something ended.
    Busy {
        /// The operating system's error number.
        errno: i32,
    },
    /// This machine's table of connections is full of what this run sent: its own
    /// firewall would drop the packet. Room comes as entries expire.
    TableFull,
}

/// What the kernel knew about a silent attempt when it was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Farewell {
    /// SYNs that the kernel sent again by itself.
    pub retransmits: u8,
    /// Segments came in that did not answer the SYN (wrong acknowledgement).
    pub invalid_answer: bool,
    /// This machine's table of connections was full when it was sent: its own
    /// firewall may have dropped it, and tells nobody of a SYN.
    pub doubtful: bool,
}
