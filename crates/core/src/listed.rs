//! Enums that list their variants.

/// Defines an enum and the list of its variants together, so that the two cannot differ.
macro_rules! listed {
    (
        $(#[$attribute:meta])*
        pub enum $enum:ident { $($(#[$doc:meta])* $variant:ident,)+ }
    ) => {
        $(#[$attribute])*
        pub enum $enum {
            $($(#[$doc])* $variant,)+
        }

        impl $enum {
            /// All variants, in the order of their definition.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
        }
    };
}

pub(crate) use listed;
