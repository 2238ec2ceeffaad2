//! The randomness that the standard library asks the system for. Hash maps get their keys from it, and tokio its choice
//! between branches that are ready at the same time: neither may differ between two runs of a seed.

use std::cell::Cell;
use std::ffi::{c_uint, c_void};

use crate::dice::split_mix;

thread_local! {
    static NEXT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From now on this thread, which must be a fresh one, draws from `seed` what it would have drawn from the system.
pub(crate) fn fix(seed: u64) {
    NEXT.set(Some(seed));
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
