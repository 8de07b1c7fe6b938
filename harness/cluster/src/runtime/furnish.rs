//! The files that a container begins with.

use std::io::Write as _;

use super::process::World;

/// What every container has.
pub(super) fn furnish(world: &World, directory: &str, termination_log: &str) {
    let (files, now) = (&world.files, world.now());
    for directory in ["/bin", "/dev", "/etc", "/home", "/proc", "/root", "/tmp", "/usr/bin", "/var/log"] {
        let _new = files.make_directories(directory, now);
    }
    for program in &world.programs {
        let path = format!("/bin/{program}");
        let _new = files.write(&path, b"", false, now);
        files.set(&path, Some(0o755), None);
    }
    let mut hosts = Vec::new();
    let _infallible = writeln!(hosts, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback");
    let _new = files.write("/etc/hosts", &hosts, false, now);
    let _new = files.write("/etc/hostname", format!("{}\n", world.hostname).as_bytes(), false, now);
    let _there = files.make_directories(directory, now);
    let log = super::files::resolve("/", termination_log);
    let (above, _) = log.rsplit_once('/').unwrap_or_default();
    let _there = files.make_directories(above, now);
    let _new = files.write(&log, b"", false, now);
}
