# Builds a simulation from what Verilator wrote, with its own makefile's flags but fewer compilations.
# UNITS are the files to compile, PROGRAM is what to make of them; `objects` has those of Verilator's library.

slow%.o: slow%.cpp
	$(CXX) $(OPT_SLOW) $(CXXFLAGS) $(CPPFLAGS) -c -o $@ $<

include Vtop.mk

program: $(addsuffix .o, $(UNITS))
	$(LINK) $(LDFLAGS) $^ objects/*.o $(LDLIBS) -o $(PROGRAM)

library: $(VK_GLOBAL_OBJS)
