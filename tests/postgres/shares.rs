//! Workers who come back at once: each has his share.

tests::share_suite!(crate::scene::Scene);
