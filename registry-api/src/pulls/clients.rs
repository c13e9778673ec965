//! Who pulls images, and who only looks at them.

/// Parts of the names of programs that pull nothing: crawlers, monitors, browsers.
const LOOKERS: &[&[u8]] = &[
    b"bot",
    b"crawl",
    b"spider",
    b"slurp",
    b"preview",
    b"externalhit",
    b"monitor",
    b"uptime",
    b"probe",
    b"scan",
    b"blackbox",
    b"prometheus",
    b"datadog",
    b"synthetic",
    b"check",
    b"mozilla/",
];

/// Whether the program of this `User-Agent` pulls images. Every client that does has a name.
pub(super) fn pulls(agent: &[u8]) -> bool {
    let holds = |part: &[u8]| agent.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    !agent.is_empty() && !LOOKERS.iter().any(|part| holds(part))
}
