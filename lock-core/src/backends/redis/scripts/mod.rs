//! What happens on the server, each in one step. The scripts stand beside this file, with what they keep true.

use redis::Script;

const RECORD: &str = include_str!("record.lua");
const GRANT: &str = include_str!("grant.lua");
const PASS_ON: &str = include_str!("pass_on.lua");

/// The scripts, each with its hash.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) acquire: Script,
    pub(super) adopt: Script,
    pub(super) renew: Script,
    pub(super) release: Script,
    pub(super) force_release: Script,
    pub(super) give_up: Script,
    pub(super) holder: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let of = |parts: &[&str]| Script::new(&parts.concat());
        Self {
            acquire: of(&[RECORD, GRANT, include_str!("acquire.lua")]),
            adopt: of(&[RECORD, GRANT, include_str!("adopt.lua")]),
            renew: of(&[include_str!("renew.lua")]),
            release: of(&[RECORD, PASS_ON, include_str!("release.lua")]),
            force_release: of(&[RECORD, PASS_ON, include_str!("force_release.lua")]),
            give_up: of(&[RECORD, PASS_ON, include_str!("give_up.lua")]),
            holder: of(&[include_str!("holder.lua")]),
        }
    }
}
