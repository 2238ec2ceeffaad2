use clap::ValueEnum;
use prost_types::Timestamp;
use proto::v1;

/// What sends into a data stream.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Platform {
    /// A web site.
    #[default]
    Web,
    /// An app on iOS.
    Ios,
    /// An app on Android.
    Android,
    /// A server.
    Server,
}

impl From<Platform> for v1::Platform {
    fn from(platform: Platform) -> Self {
        match platform {
            Platform::Web => Self::Web,
            Platform::Ios => Self::Ios,
            Platform::Android => Self::Android,
            Platform::Server => Self::Server,
        }
    }
}

/// The name that the command line uses for a platform.
pub(super) fn platform(platform: v1::Platform) -> &'static str {
    match platform {
        v1::Platform::Unspecified => "",
        v1::Platform::Web => "web",
        v1::Platform::Ios => "ios",
        v1::Platform::Android => "android",
        v1::Platform::Server => "server",
    }
}

/// An instant as RFC 3339 in UTC; nothing if it is not set.
pub(super) fn time(at: Option<&Timestamp>) -> Option<String> {
    let at = at?;
    jiff::Timestamp::new(at.seconds, at.nanos).ok().map(|at| at.to_string())
}

/// A reference to something numbered from 1, where 0 says that there is none.
pub(super) fn set<N: PartialEq + From<u8>>(id: N) -> Option<N> {
    (id != N::from(0)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        let at = Timestamp { seconds: 1_431_857_103, nanos: 500_000_000 };
        assert_eq!(time(Some(&at)).unwrap(), "2015-05-17T10:05:03.5Z");
        assert_eq!(time(None), None);
    }
}
