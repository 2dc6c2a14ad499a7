//! Redis.

use super::process::{Recipe, Server, installed};
use super::says;

/// How the server greets a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redis {
    /// Serves anybody.
    Open,
    /// Asks for a password first.
    Protected,
    /// A replica that has lost its master and serves nothing stale.
    MasterDown,
}

/// redis-server without anything on disk.
pub fn redis(mood: Redis) -> Option<Server> {
    let program = installed("redis-server", "redis-server")?;
    let recipe = Recipe::new("redis");
    let place = recipe.place();
    let mut config = format!(
        "bind {}\nport {}\ndir {}\nsave \"\"\nappendonly no\nprotected-mode no\n",
        place.ip(),
        place.port(),
        recipe.folder().display()
    );
    let (extra, greeting) = match mood {
        Redis::Open => (String::new(), &b"+PONG"[..]),
        Redis::Protected => ("requirepass secret\n".to_owned(), &b"-NOAUTH"[..]),
        // Nobody listens at the discard port of the server's own address.
        Redis::MasterDown => (
            format!("replicaof {} 9\nreplica-serve-stale-data no\n", place.ip()),
            &b"-MASTERDOWN"[..],
        ),
    };
    config.push_str(&extra);
    let config = recipe.file("redis.conf", config);
    Some(recipe.start(&program, [config], |place| {
        says(place, b"PING\r\n").is_some_and(|answer| answer.starts_with(greeting))
    }))
}
