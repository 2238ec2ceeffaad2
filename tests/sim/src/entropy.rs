//! The randomness and the time that the standard library asks the system for. Hash maps get their keys from the one, and tokio its
//! choice between branches that are ready at the same time; hyper dates its answers by the other, and frames with another date have
//! another length. None of it may differ between two runs of a seed.

use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};

use crate::dice::split_mix;

thread_local! {
    static NEXT: Cell<Option<u64>> = const { Cell::new(None) };
    static NANOS: Cell<i64> = const { Cell::new(0) };
}

/// From now on this thread, which must be a fresh one, draws from `seed` what it would have drawn from the system, and its
/// clocks stand nearly still.
pub(crate) fn fix(seed: u64) {
    NEXT.set(Some(seed));
}

/// Stands before the function of the C library of the same name. A thread with a seed lives in the first second after 2001-09-09
/// 01:46:40 UTC: each look at its clocks is a nanosecond after the one before.
///
/// # Safety
///
/// As clock_gettime(2): `time` must have room for a time.
#[expect(unsafe_code, reason = "the standard library can be given another time only in this way")]
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    if NEXT.get().is_none() {
        // SAFETY: the arguments are handed on as they came.
        return unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as c_int };
    }
    let nanos = (NANOS.get() + 1) % 1_000_000_000;
    NANOS.set(nanos);
    // SAFETY: the caller says that there is room for it.
    unsafe { time.write(libc::timespec { tv_sec: 1_000_000_000, tv_nsec: nanos }) };
    0
}

/// Stands before the function of the C library of the same name. Threads that no seed was given to get the real thing.
///
/// # Safety
///
/// As getrandom(2): `buffer` must have room for `len` bytes.
#[expect(unsafe_code, reason = "the standard library can be given other randomness only in this way")]
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, len: usize, flags: c_uint) -> isize {
    let Some(mut next) = NEXT.get() else {
        // SAFETY: the arguments are handed on as they came.
        return unsafe { libc::syscall(libc::SYS_getrandom, buffer, len, flags) as isize };
    };
    // SAFETY: the caller says that there is room for so many bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), len) };
    for chunk in bytes.chunks_mut(8) {
        next = next.wrapping_add(1);
        chunk.copy_from_slice(&split_mix(next).to_le_bytes()[..chunk.len()]);
    }
    NEXT.set(Some(next));
    len as isize
}
