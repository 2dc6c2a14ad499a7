use std::num::NonZeroU32;

/// No interface of this machine has this name or number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no interface of this machine is called '{}'", .zone.escape_debug())]
pub struct UnknownZone {
    /// As the user wrote it.
    pub zone: String,
}

/// The index of the interface that a zone names: the scope id of a link-local
/// address (RFC 4007 section 11; `if_nametoindex(3)`).
///
/// # Errors
/// When no interface has this name, or this number.
pub fn zone_index(zone: &str) -> Result<NonZeroU32, UnknownZone> {
    let index = match nix::net::if_::if_nametoindex(zone) {
        Ok(index) => Some(index),
        // RFC 4007 section 11.2: a zone may also be the index itself.
        Err(_) => zone.parse().ok().filter(|index| exists(*index)),
    };
    index.and_then(NonZeroU32::new).ok_or_else(|| UnknownZone { zone: zone.to_owned() })
}

fn exists(index: u32) -> bool {
    nix::net::if_::if_nameindex()
        .is_ok_and(|all| all.iter().any(|interface| interface.index() == index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_found_by_name_and_by_number() {
        let loopback = zone_index("lo").unwrap();
        assert_eq!(zone_index(&loopback.to_string()), Ok(loopback));
    }

    #[test]
    fn a_zone_without_an_interface_is_an_error() {
        for zone in ["no-such-if", "0", "4294967295", "", "a\0b"] {
            assert_eq!(zone_index(zone), Err(UnknownZone { zone: zone.into() }));
        }
    }
}
