"""Rules of the roster, pure: who holds which post, and are they there?"""
