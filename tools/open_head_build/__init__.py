"""How the shipped open head is made from MakeHuman data; nothing here is part of the installed package."""
