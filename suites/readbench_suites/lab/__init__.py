"""The lab's eight capabilities: text problems with right answers, each in three difficulties that come from control factors.

One file a capability. Prompts and answers are short ASCII strings, so that a model of 0.4 million parameters learns them from
raw bytes on a CPU. Harder levels combine skills (code and reasoning that add, tools that are chained), so that training one
capability helps another.
"""
