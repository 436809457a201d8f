"""The demonstration town: invented people in the real townships of Zhongshan, so that the desk can be played."""
