//! As much of the protocol of Redis as tests need to look at a server by themselves.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

/// A connection that asks and waits for the answer.
#[derive(Debug)]
pub struct Resp(BufReader<TcpStream>);

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing is there.
    Nil,
    /// A number.
    Int(i64),
    /// A text, of either kind.
    Text(String),
    /// Several answers.
    List(Vec<Reply>),
}

impl Resp {
    /// Connects; answers are waited for as long as `limit`.
    ///
    /// # Errors
    /// If nobody listens.
    pub fn connect(port: u16, limit: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(limit))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// If the connection breaks, and what the server says is an error.
    pub fn ask(&mut self, command: &[&str]) -> io::Result<Reply> {
        let mut request = Vec::new();
        write!(request, "*{}\r\n", command.len())?;
        for part in command {
            write!(request, "${}\r\n{part}\r\n", part.len())?;
        }
        self.0.get_mut().write_all(&request)?;
        self.read()
    }

    fn read(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (kind, rest) = line.trim_end().split_at(1);
        let number = || rest.parse::<i64>().map_err(io::Error::other);
        match kind {
            "+" => Ok(Reply::Text(rest.to_owned())),
            "-" => Err(io::Error::other(rest.to_owned())),
            ":" => Ok(Reply::Int(number()?)),
            "$" => {
                let Ok(length) = usize::try_from(number()?) else { return Ok(Reply::Nil) };
                let mut text = vec![0; length + 2];
                self.0.read_exact(&mut text)?;
                text.truncate(length);
                Ok(Reply::Text(String::from_utf8_lossy(&text).into_owned()))
            }
            "*" => {
                let Ok(length) = usize::try_from(number()?) else { return Ok(Reply::Nil) };
                Ok(Reply::List((0..length).map(|_| self.read()).collect::<io::Result<_>>()?))
            }
            _ => Err(io::Error::other(format!("not an answer: {line:?}"))),
        }
    }
}

impl Reply {
    /// The text that it is; empty if it is none.
    pub fn text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "" }
    }

    /// The number that it is.
    ///
    /// # Panics
    /// If it is none.
    pub fn int(&self) -> i64 {
        let Self::Int(number) = self else { panic!("not a number: {self:?}") };
        *number
    }

    /// The texts that it lists.
    pub fn texts(&self) -> Vec<&str> {
        if let Self::List(list) = self { list.iter().map(Self::text).collect() } else { Vec::new() }
    }
}
