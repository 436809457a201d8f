"""Keeps tokens, which are part of every address called, out of logs and error texts."""

import logging

# httpx logs every URL at info; python-telegram-bot and websockets log what is sent, at debug.
LOGGERS = (
    "httpx",
    "httpcore",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.proxy",
    "websockets",
    "websockets.client",
    "telegram",
    "telegram.Bot",
    "telegram.request.BaseRequest",
    "telegram.request.HTTPXRequest",
)
MARK = "<token>"


class Redaction(logging.Filter):
    """Replaces secrets in log records and in any other text."""

    def __init__(self, *secrets: str) -> None:
        super().__init__()
        self._secrets = tuple(secret for secret in secrets if secret)

    def text(self, text: str) -> str:
        """The text without any secret."""
        for secret in self._secrets:
            text = text.replace(secret, MARK)
        return text

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, cleaned."""
        written = record.getMessage()
        clean = self.text(written)
        if clean != written:
            record.msg, record.args = clean, ()
        return True

    def install(self) -> None:
        """Silence the libraries' chatter, and clean what they still say."""
        for name in LOGGERS:
            logger = logging.getLogger(name)
            logger.addFilter(self)
            if logger.level == logging.NOTSET and "." not in name:
                logger.setLevel(logging.WARNING)
