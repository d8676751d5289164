//! Images that sifcache converts itself: each is what the runtime of the site makes of the same
//! layers. The images come from a registry that serves whatever is in a directory.

mod behaviour;
mod bounds;
mod chosen;
mod convert;
mod hostile;
mod random;
