//! The allocator of every process that runs services.

/// Streams allocate and free small buffers from many threads; the system's allocator is the slowest part of that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Milliseconds that freed memory is kept before it goes back to the system. Given back at once, the same pages are asked
/// for, and cleared, again and again: a fifth of the server's time under load.
const KEEP_FREED_MS: i64 = 10_000;
/// `mi_option_purge_delay` of mimalloc.h, the same in all its versions; the bindings have no name for it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Lets the allocator keep freed memory for a while. For the beginning of `main`.
pub fn keep_freed_memory() {
    #[expect(unsafe_code, reason = "the allocator's options are set through C")]
    // SAFETY: sets one number in the allocator, which reads it whenever it frees; it may be called at any time.
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, KEEP_FREED_MS);
    }
}
