//! What a User-Agent says: device class, browser and operating system, by the woothee data set.

use hashbrown::HashMap;
use model::stable_hash;
use woothee::parser::Parser;

/// What is known of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// desktop, mobile, appliance, bot or other.
    pub device_class: &'static str,
    /// Family of the browser, or the name of the bot.
    pub browser: Box<str>,
    /// Family of the operating system.
    pub os: Box<str>,
}

/// Parsed agents, by hash: reading one takes dozens of regular expressions, and a few thousand make almost all traffic.
#[derive(Default)]
pub struct Agents {
    parser: Parser,
    known: HashMap<u64, Agent>,
}

/// When this many are known, all are forgotten: simpler than an order of use, and rare.
const MOST: usize = 16_384;

impl Agents {
    /// What `user_agent` says. The same text always gives the same answer.
    pub fn read(&mut self, user_agent: &str) -> &Agent {
        if self.known.len() >= MOST {
            self.known.clear();
        }
        let parser = &self.parser;
        self.known.entry(stable_hash(user_agent.as_bytes())).or_insert_with(|| parse(parser, user_agent))
    }
}

fn parse(parser: &Parser, user_agent: &str) -> Agent {
    let found = parser.parse(user_agent).unwrap_or_default();
    let known = |text: &str| match text {
        "" | "UNKNOWN" => "(not set)".into(),
        text => text.into(),
    };
    let device_class = match found.category {
        "pc" => "desktop",
        "smartphone" | "mobilephone" => "mobile",
        "appliance" => "appliance",
        "crawler" => "bot",
        _ => "other",
    };
    Agent { device_class, browser: known(found.name), os: known(found.os) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_of_real_agents() {
        let mut agents = Agents::default();
        let mut read = |text| {
            let agent = agents.read(text);
            format!("{} / {} / {}", agent.device_class, agent.browser, agent.os)
        };
        let chrome = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) \
                      Chrome/32.0.1700.77 Safari/537.36";
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 6_0 like Mac OS X) AppleWebKit/536.26 (KHTML, like Gecko) \
                      Version/6.0 Mobile/10A5376e Safari/8536.25";
        assert_eq!(read(chrome), "desktop / Chrome / Mac OSX");
        assert_eq!(read(iphone), "mobile / Safari / iPhone");
        assert_eq!(
            read("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
            "bot / Googlebot / (not set)"
        );
        assert_eq!(read(""), "other / (not set) / (not set)");
    }
}
