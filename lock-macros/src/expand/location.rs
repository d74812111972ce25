//! Where panics are reported: the refusal at the caller's line, the body's own at theirs.
//!
//! `#[track_caller]` moves every panic of a function to its caller, those of the body too. A closure around the body keeps
//! them where they are; it is left out where it could change what compiles, which is where a borrow is handed through.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};

use crate::function::Function;
use crate::model::Call;
use crate::returns::Returned;

/// Types that hold no borrow, whatever stands in their brackets.
const OWNED: [&str; 24] = [
    "bool",
    "char",
    "String",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "f32",
    "f64",
    "Option",
    "Vec",
    "Box",
    "Duration",
    "Instant",
    "SystemTime",
    "PathBuf",
];

/// The attribute and the body of a sync function.
pub(super) fn located(
    call: &Call,
    function: &Function,
    returned: &Returned,
    private: &TokenStream,
) -> (TokenStream, TokenStream) {
    let block = function.block();
    let panics = call.otherwise.is_none() && !call.is_limited() && !returned.is_result();
    // The language allows the attribute on neither of these, and once.
    let can_tell =
        function.sig.abi.is_none() && function.name() != "main" && !function.has_attribute("track_caller");
    if !panics || !can_tell {
        return (TokenStream::new(), block);
    }
    let attribute = quote!(#[track_caller]);
    if !hands_no_borrow_through(function, returned) {
        return (attribute, block);
    }
    let ty = returned.tokens();
    (attribute, quote_spanned! {Span::mixed_site()=> #private::run(|| -> #ty #block) })
}

/// Whether a closure around the body compiles whenever the body does.
fn hands_no_borrow_through(function: &Function, returned: &Returned) -> bool {
    let names = Names::of(returned.tokens());
    !returned.is_erased()
        && !names.borrows
        && (names.all.iter().all(|name| OWNED.contains(&name.as_str()))
            || !takes_mutable(&function.sig.inputs))
}

fn takes_mutable(inputs: &impl ToTokens) -> bool {
    let names = Names::of(inputs.to_token_stream());
    names.borrows && names.all.iter().any(|name| name == "mut")
}

/// The words of a type, and whether there is a borrow or an object among them.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    borrows: bool,
}

impl Names {
    fn of(tokens: TokenStream) -> Self {
        let mut names = Self::default();
        names.read(tokens);
        names
    }

    fn read(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    self.borrows |= name == "dyn" || name == "impl";
                    self.all.push(name.to_string());
                }
                TokenTree::Punct(sign) => self.borrows |= matches!(sign.as_char(), '&' | '\''),
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Literal(_) => {}
            }
        }
    }
}
