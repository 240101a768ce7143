"""What KenLM's ``lmplz`` (release 0.3.0) makes of two small texts.

Lines of log10 probability, log10 back-off weight, n-gram.
"""

# The text of KenLM's own test of counting, lm/builder/corpus_count_test.cc, blank line included;
# made by: lmplz -o 3 --discount_fallback
LOIN_TEXT = """\
looking on a little more loin
on a little more loin
on foo little more loin
bar

"""
LOIN = """\
-1.1694607 0 <unk>
0 -0.30103 <s>
-1.1694607 0 </s>
-1.0067334 -0.30103 looking
-0.8635233 -0.30103 on
-1.0067334 -0.30103 a
-0.8635233 -0.30103 little
-1.0067334 -0.30103 more
-1.0067334 -0.30103 loin
-1.0067334 -0.30103 foo
-1.0067334 -0.30103 bar
-0.8733941 0 <s> </s>
-0.2725839 0 loin </s>
-0.2725839 0 bar </s>
-0.8261416 -0.19629467 <s> looking
-0.5711179 -0.19629467 <s> on
-0.2452989 -0.19629467 looking on
-0.41729575 -1.3424225 on a
-0.2452989 -1.3424225 a little
-0.2452989 -0.19629467 foo little
-0.26024514 0 little more
-0.26024514 0 more loin
-0.66575253 -0.19629467 on foo
-0.8261416 -0.19629467 <s> bar
-0.2725839 0 more loin </s>
-0.15282442 0 <s> bar </s>
-0.13943169 0 <s> looking on
-0.3713372 0 <s> on a
-0.21674958 0 looking on a
-0.008603524 0 on a little
-0.13943169 0 on foo little
-0.008990911 0 a little more
-0.14682107 0 foo little more
-0.26024514 0 little more loin
-0.49592698 0 <s> on foo
"""

# Made by: lmplz -o 3 --prune 0 1 1
TEN_TEXT = """\
the cat sat on the mat
the dog sat on the log
a cat and a dog met
the cat ran to the dog
a man sat on a mat
the man saw the cat
the dog saw the man run
a log sat on the man
the mat is on the log
a dog ran on the mat
"""
TEN_PRUNED = """\
-1.4867512 0 <unk>
0 -1.4666556 <s>
-0.7988266 0 </s>
-1.0761442 -0.32274923 the
-1.4174658 0 cat
-1.0761442 -1.3697456 sat
-1.229751 -0.5336026 on
-1.4174658 -0.11677728 mat
-1.4174658 0 dog
-1.4174658 -0.0687158 log
-1.229751 -0.05447541 a
-1.2922306 0 and
-1.2922306 0 met
-1.4174658 0 ran
-1.2922306 0 to
-1.4174658 0 man
-1.4174658 -0.189538 saw
-1.2922306 0 run
-1.2922306 0 is
-0.44706184 0 mat </s>
-0.5497458 0 log </s>
-0.2322563 -0.060956415 <s> the
-0.13556103 -0.07424601 on the
-0.3894481 0 saw the
-1.0510019 0 the cat
-0.017804852 0 sat on
-1.0510019 -0.060956415 the mat
-1.0510019 0 the dog
-0.819245 0 a dog
-1.3237062 -0.09497553 the log
-0.41460848 0 <s> a
-0.5212679 0 the man
-0.35517225 0 the mat </s>
-0.37362024 0 the log </s>
-0.13556103 0 sat on the
-0.8454188 0 <s> the cat
-0.81384057 0 on the mat
-0.8454188 0 <s> the dog
-0.926024 0 on the log
"""


def table(figures):
    """Read figures as {n-gram: (probability, weight)}."""
    rows = (line.split() for line in figures.splitlines())
    return {tuple(words): (float(prob), float(weight)) for prob, weight, *words in rows}
