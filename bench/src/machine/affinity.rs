//! Cores.

/// The cores that this process may use, in order.
#[cfg(target_os = "linux")]
pub(crate) fn cores() -> Vec<usize> {
    use nix::sched::{CpuSet, sched_getaffinity};
    use nix::unistd::Pid;

    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else { return Vec::new() };
    (0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect()
}

/// The cores that this process may use, in order.
#[cfg(not(target_os = "linux"))]
pub(crate) fn cores() -> Vec<usize> {
    Vec::new()
}

/// Keeps this thread, and those and the processes that it starts, on `core`, if there is one. Where that is
/// not to be had figures are noisier, and no less true.
pub(crate) fn pin(core: Option<usize>) {
    if let Some(core) = core {
        allow(&[core]);
    }
}

/// Lets this thread, and what it starts, use these cores.
#[cfg(target_os = "linux")]
pub(crate) fn allow(cores: &[usize]) {
    use nix::sched::{CpuSet, sched_setaffinity};
    use nix::unistd::Pid;

    let mut set = CpuSet::new();
    let all_fit = cores.iter().all(|core| set.set(*core).is_ok());
    if all_fit && sched_setaffinity(Pid::from_raw(0), &set).is_err() {
        eprintln!("the cores {cores:?} are not to be had");
    }
}

/// Lets this thread, and what it starts, use these cores.
#[cfg(not(target_os = "linux"))]
pub(crate) fn allow(_: &[usize]) {}
