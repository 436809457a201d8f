"""Rules of incidents, pure: what happened, how bad, who must hear next, by when?"""
