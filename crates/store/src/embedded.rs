//! The embedded store on fjall.
