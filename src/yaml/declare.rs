//! Declarations of what a file may hold. One of them gives the type, its reading, and its
//! [`Shape`](super::shape::Shape), which messages, JSON Schema and documentation are made from.

/// Declares a mapping with known keys: the struct, its reading, its table. A field is required unless it is an
/// `Option` or has a default; `name as "key"` gives it another key; `struct Pause or lasts` may also be written as the
/// text of its field `lasts` alone. Every field has a doc comment.
///
/// ```
/// squall::record! {
///     /// A pause.
///     pub struct Pause {
///         /// How long it takes.
///         pub lasts as "for": squall::units::Span,
///         /// How often.
///         pub times: u32 = 1,
///         /// What for.
///         pub because: Option<String>,
///     }
/// }
/// ```
#[macro_export]
macro_rules! record {
    (
        $(#[doc = $doc:literal])+
        $vis:vis struct $name:ident $(or $short:ident)? {
            $($(#[doc = $field_doc:literal])+ $field_vis:vis $field:ident $(as $key:literal)? : $type:ty $(= $default:expr)?),*
            $(,)?
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name {
            $($(#[doc = $field_doc])+ $field_vis $field: $type,)*
        }

        impl $crate::yaml::read::FromNode for $name {
            fn from_node(
                node: &$crate::yaml::tree::Node,
                reader: &mut $crate::yaml::reader::Reader<'_>,
            ) -> Option<Self> {
                $(if let $crate::yaml::tree::Kind::Text(_) | $crate::yaml::tree::Kind::Input(_) = node.kind {
                    return $name::from_node(&node.under(stringify!($short)), reader);
                })?
                let mut fields = reader.fields(node, $name::record())?;
                // Every field is read before one that failed counts.
                $(let $field = fields.read::<$type>(
                    $crate::record!(@key $field $($key)?),
                    $crate::record!(@default $type $(= $default)?),
                );)*
                Some($name { $($field: $field?,)* })
            }

            fn shape() -> $crate::yaml::shape::Shape {
                let shape = $crate::yaml::shape::Shape::Record($name::record);
                $(let shape = $name::record().or_short(stringify!($short), shape);)?
                shape
            }

            fn to_json(&self) -> serde_json::Value {
                let fields = [$((
                    $crate::record!(@key $field $($key)?),
                    $crate::yaml::read::FromNode::to_json(&self.$field),
                )),*];
                let said = fields.into_iter().filter(|(_, value)| !value.is_null());
                serde_json::Value::Object(said.map(|(key, value)| (key.to_owned(), value)).collect())
            }
        }

        impl $name {
            /// The table of its keys.
            pub fn record() -> $crate::yaml::shape::Record {
                $crate::yaml::shape::Record {
                    name: stringify!($name),
                    doc: $crate::yaml::shape::doc_text(&[$($doc),+]),
                    fields: vec![$($crate::yaml::shape::Field {
                        key: $crate::record!(@key $field $($key)?),
                        doc: $crate::yaml::shape::doc_text(&[$($field_doc),+]),
                        shape: <$type as $crate::yaml::read::FromNode>::shape(),
                        presence: $crate::yaml::read::presence::<$type>($crate::record!(@default $type $(= $default)?)),
                    }),*],
                }
            }
        }
    };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@default $type:ty) => { None::<$type> };
    (@default $type:ty = $default:expr) => { Some::<$type>($default) };
}

/// Declares a mapping with exactly one key out of several: the enum, its reading, its table.
///
/// ```
/// squall::choice! {
///     /// How to wait.
///     pub enum Wait {
///         /// For a time.
///         Lasting(squall::units::Span) as "for",
///         /// For so many messages.
///         Messages(u32) as "messages",
///     }
/// }
/// ```
#[macro_export]
macro_rules! choice {
    (
        $(#[doc = $doc:literal])+
        $vis:vis enum $name:ident {
            $($(#[doc = $arm_doc:literal])+ $arm:ident($type:ty) as $key:literal),+
            $(,)?
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        $vis enum $name {
            $($(#[doc = $arm_doc])+ $arm($type),)+
        }

        impl $name {
            /// The key that it is written with.
            pub fn key(&self) -> &'static str {
                match self { $($name::$arm(_) => $key),+ }
            }

            /// The table of its keys.
            pub fn choice() -> $crate::yaml::shape::Choice {
                $crate::yaml::shape::Choice {
                    name: stringify!($name),
                    doc: $crate::yaml::shape::doc_text(&[$($doc),+]),
                    arms: vec![$($crate::yaml::shape::Arm {
                        key: $key,
                        doc: $crate::yaml::shape::doc_text(&[$($arm_doc),+]),
                        shape: <$type as $crate::yaml::read::FromNode>::shape(),
                    }),+],
                }
            }
        }

        impl $crate::yaml::read::FromNode for $name {
            fn from_node(
                node: &$crate::yaml::tree::Node,
                reader: &mut $crate::yaml::reader::Reader<'_>,
            ) -> Option<Self> {
                let entry = reader.only_key(node, &[$($key),+])?;
                match entry.key.as_str() {
                    $($key => <$type as $crate::yaml::read::FromNode>::from_node(&entry.value, reader).map($name::$arm),)+
                    _ => None,
                }
            }

            fn shape() -> $crate::yaml::shape::Shape {
                $crate::yaml::shape::Shape::Choice($name::choice)
            }

            fn to_json(&self) -> serde_json::Value {
                match self { $($name::$arm(value) => serde_json::json!({ $key: value.to_json() })),+ }
            }
        }
    };
}

/// Gives an enum without data its words in a file: its reading and its table. The enum itself is declared elsewhere.
///
/// ```
/// #[derive(Clone, Copy, PartialEq)]
/// pub enum Side { Left, Right }
/// squall::words! {
///     /// A side.
///     Side {
///         /// Where the heart is.
///         Left as "left",
///         /// The other one.
///         Right as "right",
///     }
/// }
/// ```
#[macro_export]
macro_rules! words {
    (
        $(#[doc = $doc:literal])+
        $name:ident {
            $($(#[doc = $word_doc:literal])+ $arm:ident as $word:literal),+
            $(,)?
        }
    ) => {
        impl $crate::yaml::read::FromNode for $name {
            fn from_node(
                node: &$crate::yaml::tree::Node,
                reader: &mut $crate::yaml::reader::Reader<'_>,
            ) -> Option<Self> {
                let index = reader.word(node, &[$($word),+], &Self::shape())?;
                [$($name::$arm),+].into_iter().nth(index)
            }

            fn shape() -> $crate::yaml::shape::Shape {
                $crate::yaml::shape::Shape::Words(|| $crate::yaml::shape::Words {
                    name: stringify!($name),
                    doc: $crate::yaml::shape::doc_text(&[$($doc),+]),
                    words: vec![$(($word, $crate::yaml::shape::doc_text(&[$($word_doc),+]))),+],
                })
            }

            fn to_json(&self) -> serde_json::Value {
                match self { $($name::$arm => $word.into()),+ }
            }
        }
    };
}
