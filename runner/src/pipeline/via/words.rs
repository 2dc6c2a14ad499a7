use std::collections::HashSet;
use std::time::Duration;

use crate::model::{Family, SideEffect};
use crate::settings::{PluginChoice, ProbeSettings};
use crate::target::{PortSpec, TargetSpec};
use crate::via::{Asked, Request};

/// The request as another portscan reads it, `label` being what to call the place.
/// What is for this machine alone was refused with the options.
pub(super) fn request(settings: &ProbeSettings, label: &str) -> Request {
    let mut words: Vec<String> =
        ["probe", "--format=jsonl", "--quiet", "--targets=-"].map(str::to_owned).into();
    words.push(format!("--vantage={label}"));
    match settings.family {
        Family::Any => {}
        Family::Ipv4 => words.push("-4".into()),
        Family::Ipv6 => words.push("-6".into()),
    }
    let given = [
        ("--first-address", settings.first_address),
        ("--prove", settings.prove),
        ("--no-controls", !settings.controls),
        ("--trace", settings.trace),
        ("--no-advice", !settings.advice),
        ("--no-plugins", settings.plugins.choice == PluginChoice::Nothing),
        ("--i-am-authorised", settings.guard.is_authorised()),
    ];
    words.extend(given.iter().filter(|(_, is)| *is).map(|(option, _)| (*option).to_owned()));
    // What a scope grants is shared by all who send.
    let share = settings.guard.highest_rate().map(|rate| rate / settings.via.len().max(1) as f64);
    let rate = [settings.rate, share].into_iter().flatten().min_by(f64::total_cmp);
    let time = |time: Duration| format!("{}us", time.as_micros().max(1));
    let values = [
        ("--timeout", settings.timeout.map(time)),
        ("--deadline", settings.deadline.map(time)),
        ("--attempts", settings.attempts.map(|n| n.to_string())),
        ("--max-in-flight", settings.max_in_flight.map(|n| n.to_string())),
        ("--rate", rate.map(|rate| rate.to_string())),
        ("--count", (settings.count > 1).then(|| settings.count.to_string())),
        ("--every", (settings.count > 1).then(|| time(settings.every))),
    ];
    let values = values.into_iter().filter_map(|(option, value)| Some((option, value?)));
    words.extend(values.map(|(option, value)| format!("{option}={value}")));
    let plugins = &settings.plugins;
    if let PluginChoice::Named(names) = &plugins.choice {
        words.extend(names.iter().map(|name| format!("--plugin={name}")));
    }
    let set = plugins.settings.iter();
    words.extend(set.map(|(plugin, name, value)| format!("--set={plugin}.{name}={value}")));
    let ports = plugins.send_to.iter();
    words.extend(ports.map(|(port, transport)| format!("--send-to={port}/{transport}")));
    words.extend(plugins.allow.iter().map(|effect| format!("--allow={}", side_effect(*effect))));
    Request { words, targets: settings.targets.iter().map(line).collect() }
}

/// What rows may be about.
pub(super) fn asked(targets: &[TargetSpec]) -> Asked {
    let ports: HashSet<_> = targets
        .iter()
        .flat_map(|target| target.ports.iter().map(|port| (port.port, port.transport)))
        .collect();
    Asked { targets: targets.iter().map(|target| target.text.to_string()).collect(), ports }
}

fn side_effect(effect: SideEffect) -> &'static str {
    match effect {
        SideEffect::None => "none",
        SideEffect::LogLine => "log-line",
        SideEffect::State => "state",
        SideEffect::Hardware => "hardware",
    }
}

/// A target as a target file has it. The colon makes a host of it, also where its name
/// is a service's.
fn line(target: &TargetSpec) -> String {
    let host = match target.text.contains(':') {
        true => format!("[{}]", target.text),
        false => target.text.to_string(),
    };
    format!("{host}:{}\n", ports(&target.ports))
}

/// `22/tcp,1-1024/udp`: in their order, neighbours together.
fn ports(ports: &[PortSpec]) -> String {
    let mut runs: Vec<(PortSpec, u16)> = Vec::new();
    for port in ports {
        match runs.last_mut() {
            Some((first, last))
                if first.transport == port.transport && last.checked_add(1) == Some(port.port) =>
            {
                *last = port.port;
            }
            _ => runs.push((*port, port.port)),
        }
    }
    let text = |(first, last): &(PortSpec, u16)| match first.port == *last {
        true => format!("{last}/{}", first.transport),
        false => format!("{}-{last}/{}", first.port, first.transport),
    };
    runs.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Command, from_args};
    use crate::target::{parse_file, parse_words};

    fn settings(words: &str) -> ProbeSettings {
        let words = std::iter::once("portscan").chain(words.split(' ')).map(Into::into);
        match from_args(words).unwrap() {
            Command::Probe(settings) => *settings,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn targets_are_read_there_as_they_were_written_here() {
        let words =
            ["domain:1-3,5,53/udp,54/udp,7", "2001:db8::/126", "80", "10.0.0.1-9:all", "h:0"];
        let targets = parse_words(&words.map(str::to_owned)).unwrap();
        let text: String = targets.iter().map(line).collect();
        assert_eq!(
            text,
            "domain:1-3/tcp,5/tcp,53-54/udp,7/tcp\n[2001:db8::/126]:80/tcp\n\
             10.0.0.1-9:1-65535/tcp\nh:0/tcp\n"
        );
        assert_eq!(parse_file("there", &text).unwrap(), targets);
    }

    #[test]
    fn options_mean_there_what_they_mean_here() {
        let here = settings(
            "h:53/udp --via local -4 --first-address --prove --no-controls --trace --no-advice \
             --timeout 1.5s --deadline 2m --attempts 3 --max-in-flight 9 --rate 0.5 --count 3 \
             --every 20ms --plugin dns --set dns.name=a --send-to 9100/tcp --allow state \
             --i-am-authorised",
        );
        let words = request(&here, "bastion").words;
        let there = words[1..].iter().filter(|word| *word != "--targets=-");
        let there: Vec<&str> = there.map(String::as_str).collect();
        let there = settings(&format!("h:53/udp {}", there.join(" ")));
        let same = |settings: ProbeSettings| ProbeSettings {
            via: Vec::new(),
            format: crate::settings::Format::Table,
            vantage: None,
            quiet: false,
            ..settings
        };
        assert_eq!(format!("{:?}", same(there)), format!("{:?}", same(here)));
    }
}
