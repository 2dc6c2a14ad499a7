//! This machine's own table of connections, which its firewall keeps (nf_conntrack).
//!
//! Full, it drops the first packet of whatever is new. A SYN is then never sent and
//! nobody says so: the silence would be taken for the target's.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Counted for the network namespace that asks
/// (Documentation/networking/nf_conntrack-sysctl.rst).
const FOLDER: &str = "/proc/sys/net/netfilter";

/// From this share on, in percent, it counts as full: the rest is for what leaves
/// before the next look, and for other programs.
const FULL: u64 = 95;

/// Sends between two looks at a table with room.
const SENDS: u32 = 256;

/// Sends of ours, as a share of the table, from which on its entries are ours.
const OURS: u64 = 20;

/// Whether the table takes another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Enough,
    /// Others have filled it.
    Taken,
    /// It is full of what we sent. An unanswered SYN stays for two minutes.
    TakenByUs,
}

pub(super) struct Table {
    count: File,
    most: u64,
    sends: u64,
    until_look: u32,
    is_full: bool,
}

impl Table {
    /// The table; none where this machine keeps none, or does not limit it.
    pub(super) fn open() -> Option<Table> {
        Table::of(Path::new(FOLDER))
    }

    fn of(folder: &Path) -> Option<Table> {
        let most = fs::read(folder.join("nf_conntrack_max")).ok()?;
        let most = number(&most).filter(|most| *most > 0)?;
        let count = File::open(folder.join("nf_conntrack_count")).ok()?;
        Some(Table { count, most, sends: 0, until_look: 0, is_full: false })
    }

    /// Whether one more packet may open a connection.
    pub(super) fn room(&mut self) -> Room {
        if self.is_full || self.until_look == 0 {
            self.until_look = SENDS;
            self.is_full = self.entries() >= self.most - self.most * (100 - FULL) / 100;
        }
        if self.is_full {
            let is_ours = self.sends >= self.most / OURS;
            return if is_ours { Room::TakenByUs } else { Room::Taken };
        }
        self.until_look -= 1;
        self.sends += 1;
        Room::Enough
    }

    /// How many there are; none when nobody says.
    fn entries(&self) -> u64 {
        let mut text = [0; 24];
        let length = self.count.read_at(&mut text, 0).unwrap_or(0);
        text.get(..length).and_then(number).unwrap_or(0)
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(folder: &Path, count: u64, most: u64) -> Option<Table> {
        fs::write(folder.join("nf_conntrack_max"), format!("{most}\n")).unwrap();
        fs::write(folder.join("nf_conntrack_count"), format!("{count}\n")).unwrap();
        Table::of(folder)
    }

    #[test]
    fn a_machine_without_a_table_or_a_limit_has_room() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Table::of(folder.path()).is_none());
        assert!(table(folder.path(), 10, 0).is_none());
    }

    #[test]
    fn who_filled_it_is_told_by_what_we_sent() {
        let folder = tempfile::tempdir().unwrap();
        let mut full = table(folder.path(), 1900, 2000).unwrap();
        assert_eq!(full.room(), Room::Taken);
        let mut ours = table(folder.path(), 0, 2000).unwrap();
        for _ in 0..SENDS {
            assert_eq!(ours.room(), Room::Enough);
        }
        fs::write(folder.path().join("nf_conntrack_count"), "1900").unwrap();
        assert_eq!(ours.room(), Room::TakenByUs);
        fs::write(folder.path().join("nf_conntrack_count"), "1899").unwrap();
        assert_eq!(ours.room(), Room::Enough);
    }
}
