//! Closed lists of words: an enum, its texts, and the way back.

use std::fmt;

/// Declares an enum whose variants have one fixed text each: in the database, in forms and in JSON.
#[macro_export]
macro_rules! words {
    ($(#[$doc:meta])* $vis:vis enum $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ::serde::Serialize, ::serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        $(#[$doc])*
        $vis enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }
        impl $name {
            /// Every variant, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// The text in the database, in forms and in JSON.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text,)* } }
        }
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result { f.write_str(self.as_str()) }
        }
        impl ::std::str::FromStr for $name {
            type Err = $crate::words::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($text => Ok(Self::$variant),)* _ => Err($crate::words::UnknownWord) }
            }
        }
    };
}

/// The text is none of the words of its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownWord;
impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a word of this list")
    }
}
impl std::error::Error for UnknownWord {}
