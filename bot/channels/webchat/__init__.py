"""Web chat: one personal link per officer opens a phone page; the same port as the other channels."""

from bot.channels.webchat.channel import Intake, WebChatChannel
from bot.channels.webchat.links import make_link
from bot.channels.webchat.routes import make_routes

__all__ = ["Intake", "WebChatChannel", "make_link", "make_routes"]
