//! Enums whose variants have one name each, the same in JSON, SQL, Redis, the API reference and
//! clients' requests.

/// Declares an enum whose variants have one name each, the same in JSON, SQL (as text), Redis and
/// the OpenAPI document. The macro adds a test of this to each enum.
// A name is a `tt`, not a `literal`: a `literal` reaches utoipa as a group, which it ignores, and
// it would publish Rust's names.
#[macro_export]
macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:tt),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
                 strum::Display, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
                 serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[strum(const_into_str, parse_err_ty = $crate::names::UnknownName,
                parse_err_fn = $crate::names::UnknownName::of)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] #[strum(serialize = $text)] $variant),+ }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

            /// The name used in JSON, SQL, Redis and the API reference.
            pub const fn as_str(self) -> &'static str {
                self.into_str()
            }
        }

        #[cfg(test)]
        #[test]
        #[expect(non_snake_case, reason = "the test of an enum has its name")]
        fn $name() {
            let names: Vec<_> = $name::ALL.iter().map(|variant| variant.as_str()).collect();
            let parsed: Result<Vec<$name>, _> = names.iter().map(|name| name.parse()).collect();
            assert_eq!(parsed.as_deref(), Ok($name::ALL));
            let json = serde_json::json!(names);
            assert_eq!(serde_json::to_value($name::ALL).ok().as_ref(), Some(&json), "as serde writes them");
            assert_eq!(serde_json::from_value(json.clone()).ok(), Some($name::ALL.to_vec()), "as serde reads them");
            let schema = serde_json::to_value(<$name as utoipa::PartialSchema>::schema()).unwrap_or_default();
            assert_eq!(schema["enum"], json, "as the reference has them");
        }
    };
}

/// A string that names no variant of the enum it was parsed as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown name {0:?}")]
pub struct UnknownName(pub String);

impl UnknownName {
    /// The error for this string.
    pub fn of(name: &str) -> Self {
        Self(name.to_owned())
    }
}
