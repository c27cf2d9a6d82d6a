"""PACKAGE lzc/rehearse"""
